// Stamp JSON bodies on their way to the origin with the time and the visitor's address.
//
// Event: origin-request with IncludeBody. The function sees at most 1 MB of a body; what it returns
// with the action "replace" is all that the origin gets, so a truncated body is left alone.

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const type = request.headers['content-type']?.[0].value ?? '';
  if (!type.startsWith('application/json') || request.body.inputTruncated) return request;
  let document;
  try {
    document = JSON.parse(Buffer.from(request.body.data, 'base64').toString('utf8'));
  } catch {
    return {
      status: '400',
      headers: { 'content-type': [{ key: 'Content-Type', value: 'text/plain' }] },
      body: 'The body is not JSON.',
    };
  }
  const received = { at: new Date().toISOString(), from: request.clientIp };
  request.body.action = 'replace';
  request.body.encoding = 'text';
  request.body.data = JSON.stringify({ ...document, received });
  return request;
};
