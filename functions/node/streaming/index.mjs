// Streams server-sent events behind a function URL with InvokeMode RESPONSE_STREAM: the browser
// shows each step while the next one is still being worked on.
//
// GET /?steps=5

import { setTimeout as sleep } from 'node:timers/promises';

export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  const steps = Math.min(Number(event.queryStringParameters?.steps ?? 3), 100);
  const stream = awslambda.HttpResponseStream.from(responseStream, {
    statusCode: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
  for (let step = 1; step <= steps; step += 1) {
    stream.write(`event: step\ndata: ${JSON.stringify({ step, steps })}\n\n`);
    await sleep(200);
  }
  stream.end('event: done\ndata: {}\n\n');
});
