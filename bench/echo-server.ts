/** Sends back what comes over a Unix socket: the least that any server can do in Node. */

import { createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
});
server.listen(process.argv[2], () => process.send?.('ready'));
// It ends with whoever started it.
process.on('disconnect', () => process.exit());
