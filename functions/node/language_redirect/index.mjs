// Send visitors of the start page to the page in their language.
//
// Event: viewer-request. Attach to a behavior for "/" or to the default one; other paths pass.

const LANGUAGES = ['en', 'de', 'fr'];

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.uri !== '/') return request;
  const accepted = (request.headers['accept-language'] ?? []).map(({ value }) => value).join(',');
  return {
    status: '302',
    statusDescription: 'Found',
    headers: {
      location: [{ key: 'Location', value: `/${bestLanguage(accepted)}/` }],
      vary: [{ key: 'Vary', value: 'Accept-Language' }],
    },
  };
};

// The offered language that the visitor likes best, the first one when there is none.
function bestLanguage(accepted) {
  const wishes = accepted
    .split(',')
    .map((item) => {
      const [tag, parameter = 'q=1'] = item.trim().split(/\s*;\s*/);
      return { language: tag.split('-')[0].toLowerCase(), quality: Number(parameter.slice(2)) };
    })
    .filter(({ language, quality }) => LANGUAGES.includes(language) && quality > 0)
    .sort((one, other) => other.quality - one.quality);
  return wishes[0]?.language ?? LANGUAGES[0];
}
