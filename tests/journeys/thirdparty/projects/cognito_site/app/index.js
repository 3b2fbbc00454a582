// cognito-at-edge as it is published. Beside it lies `settings.json`, which the test writes: the
// keys of the user pool, since a test cannot reach Amazon's, and whom to trust in its place.
const https = require('node:https');
const { Authenticator } = require('cognito-at-edge');
const settings = require('./settings.json');

https.globalAgent.options.ca = settings.certificate;

const authenticator = new Authenticator({
  region: 'us-east-1',
  userPoolId: settings.userPoolId,
  userPoolAppId: settings.clientId,
  userPoolAppSecret: 'client secret',
  userPoolDomain: settings.domain,
  cookieExpirationDays: 7,
  httpOnly: true,
  sameSite: 'Lax',
  logoutConfiguration: { logoutUri: '/sign-out', logoutRedirectUri: 'https://example.com/bye' },
});
authenticator._jwtVerifier.cacheJwks(settings.jwks);

exports.handler = (event) => authenticator.handle(event);
