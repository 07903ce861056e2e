/** The naive rule, which backends are compared with. */

export * from '../src/oracle/oracle.ts';
