// Redirect old addresses to new ones.
//
// Event: viewer-request. A redirect made here is sent at once, for every viewer, and is not cached
// at the edge; made in an origin-request function, it would be.

const MOVED = new Map([
  ['/old', '/new'],
  ['/blog', 'https://blog.example.com/'],
]);

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const target = MOVED.get(request.uri.replace(/\/+$/, '') || '/');
  if (!target) return request;
  const query = request.querystring ? `?${request.querystring}` : '';
  return {
    status: '301',
    statusDescription: 'Moved Permanently',
    headers: {
      location: [{ key: 'Location', value: target + query }],
      'cache-control': [{ key: 'Cache-Control', value: 'max-age=3600' }],
    },
  };
};
