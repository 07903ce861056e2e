/** The scope of a local session: what its grants and waiting requests know of it. */

import type { SessionScope } from '../session/session-tree.ts';
import type { Operations } from './operations.ts';
import type { OwnObject } from './owners.ts';

export type LocalScope = SessionScope<Operations, OwnObject>;
