/**
 * Whether kds was started by nohup(1), so that the end of the terminal ends neither kds nor the
 * command.
 *
 * nohup has HUP ignored and replaces itself by what it starts. But Node resets all signals before
 * any of this runs, and those of its children; so what was ignored cannot be seen any more. Shells
 * note in `_` which file they start, and nohup passes that on as it is.
 */

import { basename } from 'node:path';

/** HUP is ignored, here and in the command. */
export const isHangupIgnored: boolean = basename(process.env['_'] ?? '') === 'nohup';
