/** One of two files whose tests take units of the same resources. */

import { unitsTests } from './units-tests.ts';

unitsTests('b');
