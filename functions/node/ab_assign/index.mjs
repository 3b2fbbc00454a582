// Assign each visitor to variant a or b of an A/B test.
//
// Event: viewer-request. Attach together with ab_cookie (viewer-response) and, where the variants
// are served by different origins, ab_route (origin-request). The cookie "ab" must be in the
// behavior's cache policy, so that each variant is cached on its own.
//
// The variant goes into the request's own cookie, where cache key and origin see it. A visitor who
// has it already keeps it; a new one is marked, so that ab_cookie can hand out the cookie.

const SHARE_OF_B = 0.5;

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const { headers } = request;
  delete headers['x-ab-new']; // Only this function sets the mark.
  const cookies = (headers.cookie ?? []).flatMap(({ value }) => value.split(/\s*;\s*/));
  if (!cookies.includes('ab=a') && !cookies.includes('ab=b')) {
    const variant = Math.random() < SHARE_OF_B ? 'b' : 'a';
    const kept = cookies.filter((cookie) => cookie && !cookie.startsWith('ab='));
    headers.cookie = [{ key: 'Cookie', value: [...kept, `ab=${variant}`].join('; ') }];
    headers['x-ab-new'] = [{ key: 'X-AB-New', value: variant }];
  }
  return request;
};
