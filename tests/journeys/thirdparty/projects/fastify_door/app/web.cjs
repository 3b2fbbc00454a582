// A Fastify app on its own adapter for Lambda, whole and streamed. It requires ES modules, which
// Lambda's Node.js takes only when NODE_OPTIONS says so.
const { pipeline } = require('node:stream/promises');
const awsLambda = require('@fastify/aws-lambda');
const fastify = require('fastify');

const app = fastify({ trustProxy: true });
app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

app.get('/items/:number', async (request) => {
  const q = [request.query.q ?? []].flat();
  return { number: Number(request.params.number), q, host: request.hostname };
});
app.get('/whoami', async (request) => {
  // The adapter puts no blanks between a function URL's cookies.
  const cookies = request.headers.cookie?.split(/; */).join('; ');
  return { cookies, scheme: request.protocol, ip: request.ip };
});
app.get('/login', async (request, reply) => {
  reply.header('Set-Cookie', 'session=s1; HttpOnly').header('Set-Cookie', 'theme=dark');
  return 'hello';
});
app.post('/form', async (request) => {
  return Object.fromEntries(new URLSearchParams(request.body.toString()));
});
app.put('/bytes', async (request, reply) => {
  reply.code(201).type('application/octet-stream');
  return Buffer.from(request.body).reverse();
});
app.get('/framing', async (request, reply) => {
  reply.headers({ Connection: 'close', 'X-Kept': 'yes', 'Content-Length': '5' });
  return '12345';
});
app.get('/old', async (request, reply) => reply.redirect('/items/1?q=new'));
app.get('/broken', async () => {
  throw new Error('no such thing');
});

const binary = { binaryMimeTypes: ['application/octet-stream'] };
const whole = awsLambda(app, { ...binary, albMultiValueHeaders: true });
exports.handler = async (event, context) => whole(event, context);

const inPieces = awsLambda(app, { decorateRequest: false, payloadAsStream: true });
exports.stream = awslambda.streamifyResponse(async (event, out, context) => {
  const { meta, stream } = await inPieces(event, context);
  await pipeline(stream, awslambda.HttpResponseStream.from(out, meta));
});
