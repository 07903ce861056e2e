/** As much of the package as is measured: it has no types of its own. */
declare module 'web-locks' {
  export const locks: {
    request(name: string, callback: () => Promise<void>): Promise<unknown>;
  };
}
