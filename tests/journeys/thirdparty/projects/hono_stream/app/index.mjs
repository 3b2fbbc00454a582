// Answers that Hono streams: text, events, bytes; and ordinary ones through the same handler.
import { existsSync } from 'node:fs';
import { Hono } from 'hono';
import { streamHandle } from 'hono/aws-lambda';
import { setCookie } from 'hono/cookie';
import { stream, streamSSE, streamText } from 'hono/streaming';

const app = new Hono();

app.get('/text', (c) =>
  streamText(c, async (out) => {
    await out.writeln('first');
    while (!existsSync(c.req.query('until'))) await out.sleep(5);
    await out.writeln('second');
  }),
);
app.get('/events', (c) =>
  streamSSE(c, async (out) => {
    for (const id of ['1', '2']) await out.writeSSE({ id, event: 'tick', data: `no ${id}` });
  }),
);
app.get('/bytes', (c) => {
  c.header('Content-Type', 'image/gif');
  return stream(c, async (out) => {
    for (let n = 0; n < 16; n += 1) await out.write(new Uint8Array(65536).fill(n));
  });
});
app.get('/cookies', (c) => {
  setCookie(c, 'a', '1');
  setCookie(c, 'b', '2');
  return c.json({ set: 2 }, 201);
});
app.post('/echo', async (c) => c.json({ got: await c.req.json() }));
app.get('/moved', (c) => c.redirect('/text'));
app.get('/broken', () => {
  throw new Error('no such thing');
});
app.onError((error, c) => c.text(`caught: ${error.message}`, 500));

export const handler = streamHandle(app);
