// What a Hono app does, on Hono's Lambda@Edge adapter as it is published.
import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import { handle } from 'hono/lambda-edge';
import { stream, streamText } from 'hono/streaming';

const app = new Hono();

app.use(async (c, next) => {
  await next();
  c.header('X-Served-By', 'hono');
});

app.get('/hello/:name', (c) =>
  c.json({ name: c.req.param('name'), page: c.req.query('page'), tags: c.req.queries('tag') }),
);
app.get('/html', (c) => c.html('<p>Grüße</p>'));
app.get('/old', (c) => c.redirect('/hello/world', 301));
app.get('/nothing', (c) => c.body(null, 204));
app.get('/pixel.gif', (c) =>
  c.body(Uint8Array.from({ length: 256 }, (_, i) => i), 200, { 'Content-Type': 'image/gif' }),
);
app.get('/stream', (c) => {
  c.header('Content-Type', 'text/plain; charset=UTF-8');
  return stream(c, async (out) => {
    for (const word of ['one', 'two', 'three']) await out.write(`${word}\n`);
  });
});
app.get('/stream-text', (c) => streamText(c, (out) => out.write('one')));
app.get('/visits', (c) => {
  const visits = Number(getCookie(c, 'visits') ?? 0) + 1;
  setCookie(c, 'visits', String(visits), { path: '/', httpOnly: true });
  setCookie(c, 'theme', 'dark blue');
  deleteCookie(c, 'stale');
  return c.text(`visit ${visits}`);
});

app.post('/json', async (c) => c.json({ got: await c.req.json() }, 201));
app.post('/form', async (c) => {
  const { name, file } = await c.req.parseBody();
  return c.text(`${name} sent ${file.name} of ${file.size} bytes`);
});
app.put('/bytes', async (c) =>
  c.body(new Uint8Array(await c.req.arrayBuffer()).reverse(), 200, {
    'Content-Type': 'application/octet-stream',
  }),
);

// Lets the request pass, changed: the adapter's way is Lambda's callback.
app.get('/from-origin/*', (c) => {
  const { request } = c.env;
  request.headers['x-user'] = [{ key: 'X-User', value: 'hono' }];
  c.env.callback(null, { ...request, uri: request.uri.replace('/from-origin', '') });
  return c.body(null);
});
app.use('/members/*', basicAuth({ username: 'ada', password: 'engine' }));
app.get('/members/*', (c) => {
  c.env.callback(null, c.env.request);
  return c.body(null);
});

app.get('/cached/time', (c) => {
  c.header('Cache-Control', 'max-age=60');
  return c.json({ event: c.env.config.eventType, id: c.env.config.requestId });
});

app.get('/broken', () => {
  throw new Error('no such thing');
});
app.get('/refused', (c) => {
  c.env.callback(new Error('refused by the app'));
  return c.body(null);
});
app.onError((error, c) =>
  error instanceof HTTPException
    ? error.getResponse()
    : c.text(`caught: ${error.message}`, 500),
);
app.notFound((c) => c.text(`nobody lives at ${c.req.path}`, 404));

export const handler = handle(app);
