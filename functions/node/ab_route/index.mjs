// Send variant b of an A/B test to another origin.
//
// Event: origin-request. Attach together with ab_assign (viewer-request). The cookie "ab" must be in
// the cache policy: the origin is no part of the cache key, the cookie is.

const ORIGIN_B = 'variant-b.example.com';

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  const cookies = (request.headers.cookie ?? []).flatMap(({ value }) => value.split(/\s*;\s*/));
  if (cookies.includes('ab=b')) {
    request.origin.custom.domainName = ORIGIN_B;
    // The Host header does not follow the origin by itself.
    request.headers.host = [{ key: 'Host', value: ORIGIN_B }];
  }
  return request;
};
