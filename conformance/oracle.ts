/** The naive rule, which backends are compared with. */

export * from '../src/oracle/oracle.ts';
export type {
  OracleArrival,
  OracleMode,
  OracleOptions,
  OracleResize,
  OracleSet,
  OracleSpec,
  OracleSteal,
  OracleUnits,
} from '../src/oracle/sets.ts';
