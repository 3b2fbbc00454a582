// Serve index.html for the routes of a single-page application.
//
// Event: viewer-request. Paths whose last part has no dot are routes of the application; they all
// share one cached object, since the cache key is computed after this function.

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (!request.uri.split('/').at(-1).includes('.')) request.uri = '/index.html';
  return request;
};
