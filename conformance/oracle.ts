/** The rule written naively, which hosts are compared with. */

export * from '../src/oracle/oracle.ts';
