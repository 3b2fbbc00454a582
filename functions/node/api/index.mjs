// A small JSON API behind a function URL (payload format 2.0).
//
// GET /hello?name=…   greets
// POST /echo          sends the JSON body back

export const handler = async (event) => {
  const { method } = event.requestContext.http;
  switch (`${method} ${event.rawPath}`) {
    case 'GET /hello':
      return answer(200, { message: `Hello, ${event.queryStringParameters?.name ?? 'world'}!` });
    case 'POST /echo':
      try {
        return answer(200, { received: JSON.parse(bodyOf(event)) });
      } catch {
        return answer(400, { error: 'the body is not JSON' });
      }
    default:
      return answer(404, { error: `there is no ${method} ${event.rawPath}` });
  }
};

const bodyOf = ({ body = '', isBase64Encoded }) =>
  isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;

const answer = (statusCode, document) => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(document),
});
