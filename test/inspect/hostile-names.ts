/** Names that must be shown nowhere as they are. */

const rightToLeft = '\u202eevil\u2066';

export const hostileNames: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  '\x1b]0;title\x07\x1b[2J',
  'a\nb\r\nc\td\0e\x7f\x9b31m',
  rightToLeft,
  'line\u2028separator\u2029',
  '\ud800 alone',
  '\\"]; evil [label="',
  '&lt;b&gt; &amp; `x` %s #quot; --> end',
  '',
  'x'.repeat(65_536),
  '\u202e'.repeat(65_536),
];

/** What a terminal, or a reader from left to right, must not be given but for line feeds. */
export const unsafe = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;
