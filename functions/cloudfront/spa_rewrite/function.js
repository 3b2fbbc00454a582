// Serves a single-page application: whatever does not look like a file gets the start page.
function handler(event) {
    var request = event.request;
    var last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
    if (!last.includes('.') && !request.uri.startsWith('/api/')) {
        request.uri = '/index.html';
    }
    return request;
}
