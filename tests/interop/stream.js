// Node's net module and Moorline on one stream of bytes: each as server and as client, and each end seen by the other.
//   node stream.js MOORLINE_PEER
'use strict';
const assert = require('node:assert');
const child_process = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const readline = require('node:readline');

// Moorline's side and the lines that it says.
function start(program, mode, name) {
  const peer = child_process.spawn(program, [mode, name, 'raw'], { stdio: ['ignore', 'pipe', 'inherit'] });
  peer.lines = readline.createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  return peer;
}

async function says(peer, expected) {
  assert.strictEqual((await peer.lines.next()).value, expected);
}

async function moorlineServes(program, name) {
  const peer = start(program, 'serve', name);
  await says(peer, 'listening');
  const sent = crypto.randomBytes(300000);
  const socket = net.connect({ path: name, allowHalfOpen: true });
  socket.end(sent);
  const received = [];
  for await (const part of socket) received.push(part);
  assert.ok(Buffer.concat(received).equals(sent), 'what came back is something else');
  await says(peer, 'DISCONNECTED');
}

async function moorlineConnects(program, name) {
  const server = net.createServer((socket) => socket.pipe(socket)).listen(name);
  await once(server, 'listening');
  const peer = start(program, 'connect', name);
  await says(peer, 'OK');
  server.close();
  await once(server, 'close');
}

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'moorline-interop-'));
  try {
    await moorlineServes(process.argv[2], path.join(directory, 'moorline'));
    await moorlineConnects(process.argv[2], path.join(directory, 'node'));
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
