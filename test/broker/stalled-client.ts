/** Takes a set, asks for much, and reads none of it. Told of by messages to whoever started it. */

import { connect } from 'node:net';

// Nothing else would keep this process alive.
process.on('message', () => undefined);

const [path = ''] = process.argv.slice(2);
const socket = connect(path);
socket.on('error', () => undefined);
socket.once('data', () => {
  // The answer to hello: of all that follows nothing is read.
  socket.pause();
  const say = (frame: object): string => `${JSON.stringify(frame)}\n`;
  const asked =
    say({
      do: 'acquire',
      id: 1,
      parts: [
        ['x', 'all'],
        ['y', 'all'],
      ],
    }) + say({ do: 'query', id: 2 });
  socket.write(asked, () => process.send?.('asked'));
});
socket.write('{"do":"hello","version":2}\n');
