// An Express app as people put it behind a load balancer or a function URL.
import express from 'express';
import serverless from 'serverless-http';

const app = express();
app.set('trust proxy', true);

app.get('/items/:number', (request, response) => {
  const q = [request.query.q ?? []].flat();
  response.json({ number: Number(request.params.number), q, host: request.hostname });
});
app.get('/whoami', (request, response) => {
  response.json({ cookies: request.headers.cookie, scheme: request.protocol, ip: request.ip });
});
app.get('/login', (request, response) => {
  response.cookie('session', 's1', { httpOnly: true }).cookie('theme', 'dark').send('hello');
});
app.post('/form', express.urlencoded({ extended: false }), (request, response) => {
  response.json(request.body);
});
app.put('/bytes', express.raw({ type: '*/*' }), (request, response) => {
  response.status(201).type('application/octet-stream').send(request.body.reverse());
});
app.get('/framing', (request, response) => {
  response.set({ Connection: 'close', 'X-Kept': 'yes', 'Content-Length': '5' }).end('12345');
});
app.get('/old', (request, response) => response.redirect('/items/1?q=new'));
app.get('/broken', () => {
  throw new Error('no such thing');
});

export const handler = serverless(app, { binary: ['application/octet-stream'] });
