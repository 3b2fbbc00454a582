// Puts each viewer into variant a or b of an experiment and keeps them there. The request carries
// the choice to the cache (put the cookie "ab" into the cache key); attached to viewer-response as
// well, the same function sets the cookie that makes the choice stick.
var NAME = 'ab';
var SHARE_OF_B = 0.5;

function handler(event) {
    var request = event.request;
    var known = request.cookies[NAME] && request.cookies[NAME].value;

    if (event.context.eventType === 'viewer-request') {
        if (known !== 'a' && known !== 'b') {
            request.cookies[NAME] = { value: Math.random() < SHARE_OF_B ? 'b' : 'a' };
            // Tells the viewer-response run that the cookie is new.
            request.headers['x-ab-new'] = { value: '1' };
        }
        return request;
    }

    var response = event.response;
    if (known && request.headers['x-ab-new']) {
        response.cookies[NAME] = { value: known, attributes: 'Path=/; Max-Age=2592000; SameSite=Lax' };
    }
    return response;
}
