// Hand the cookie of an A/B test to new visitors.
//
// Event: viewer-response. Attach together with ab_assign (viewer-request), which marks the requests
// of new visitors. What this function adds is not cached.

const LIFETIME_S = 30 * 24 * 3600;

export const handler = async (event) => {
  const { request, response } = event.Records[0].cf;
  const variant = request.headers['x-ab-new']?.[0].value;
  if (variant) {
    const value = `ab=${variant}; Path=/; Max-Age=${LIFETIME_S}; SameSite=Lax`;
    response.headers['set-cookie'] ??= [];
    response.headers['set-cookie'].push({ key: 'Set-Cookie', value });
  }
  return response;
};
