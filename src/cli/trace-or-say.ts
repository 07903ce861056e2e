/** KDS_TRACE, for a command of kds: it goes on without a trace that cannot be written. */

import { traceIfAsked } from '../inspect/trace.ts';
import { say } from './messages.ts';

export function traceOrSay(): void {
  traceIfAsked({
    onFailure: (error) => say(`KDS_TRACE: there is no trace from here on: ${error.message}`),
  });
}
