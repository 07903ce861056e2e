/** The smoke suite for what a bundler makes of it: a page or a bare context calls the function. */

import { runSmoke } from './smoke.mjs';

globalThis.runSmoke = runSmoke;
