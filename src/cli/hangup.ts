/**
 * Whether kds was started by nohup(1), so that the end of the terminal ends neither kds nor the
 * command.
 *
 * nohup ignores HUP and replaces itself by its command. But Node resets all signals at its start,
 * and for its children, so an ignored signal cannot be detected. Shells set `_` to the file that
 * they start, and nohup passes `_` on unchanged.
 */

import { basename } from 'node:path';

/** HUP is ignored, here and in the command. */
export const isHangupIgnored: boolean = basename(process.env['_'] ?? '') === 'nohup';
