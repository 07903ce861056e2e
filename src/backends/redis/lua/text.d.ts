/** A script, as text: inlined by the bundler (lua-text.ts at the root of the tree). */
declare module '*.lua' {
  export const text: string;
}
