// Sends old paths to their new place, and names ending in a slash to those without, for good.
const MOVED = {
    '/old': '/new',
    '/blog/feed': '/feed.xml',
};

function handler(event) {
    const request = event.request;
    // Never //name: in a Location that would be another host.
    const path = request.uri.replace(/^\/+/, '/').replace(/(.)\/+$/, '$1');
    const target = MOVED[path] || path;
    if (target === request.uri) {
        return request;
    }
    const query = request.rawQueryString();
    return {
        statusCode: 301,
        statusDescription: 'Moved Permanently',
        headers: { location: { value: query ? `${target}?${query}` : target } },
    };
}
