/** KDS_TRACE for a command of kds, which goes on if the trace cannot be written. */

import { traceIfAsked } from '../inspect/trace.ts';
import { report } from './messages.ts';

export function traceOrWarn(): void {
  traceIfAsked({
    onFailure: (error) => report(`KDS_TRACE: the trace ends: ${error.message}`),
  });
}
