import { createServer } from 'node:http';

/**
 * What the gateway is measured beside: a bare node:http server that reads and parses the same body and answers the
 * same JSON, and does nothing else. Prints its URL when it listens.
 */
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const body = JSON.stringify({
      success: true,
      webhookId: 'wh_00000000000000000000000000',
      timestamp: new Date().toISOString(),
      executionMode: 'async',
      results: [{ workerId: 'worker-echo', executionId: 'exec-00000000000000000000000000', success: true }],
      callId: 'call-00000000000000000000000000',
    });
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`);
});
process.on('SIGTERM', () => {
  server.closeAllConnections();
  server.close();
});
