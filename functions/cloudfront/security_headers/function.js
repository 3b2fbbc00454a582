// Adds security headers to every answer, unless the origin has set them itself.
const HEADERS = {
    'strict-transport-security': 'max-age=63072000; includeSubDomains; preload',
    'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'strict-origin-when-cross-origin',
};

function handler(event) {
    const response = event.response;
    Object.keys(HEADERS).forEach(name => {
        if (!response.headers[name]) {
            response.headers[name] = { value: HEADERS[name] };
        }
    });
    return response;
}
