// Turn away forms that a robot filled in: people leave the hidden field "website" empty.
//
// Event: viewer-request with IncludeBody. The function sees at most 40 KB of a body; the origin gets
// all of it, since the body is only read.

const TRAP = 'website';

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.method !== 'POST') return request;
  const form = new URLSearchParams(Buffer.from(request.body.data, 'base64').toString('utf8'));
  if (!form.get(TRAP)) return request;
  return {
    status: '403',
    statusDescription: 'Forbidden',
    headers: { 'content-type': [{ key: 'Content-Type', value: 'text/plain' }] },
    body: 'This form was not filled in by hand.',
  };
};
