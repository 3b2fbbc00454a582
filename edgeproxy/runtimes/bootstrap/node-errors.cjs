// Errors as AWS's Node.js runtimes show them (LR-083 to LR-085).
'use strict';

const util = require('util');

function runtimeError(name, message) {
  const error = new Error(message);
  error.name = name;
  error.stack = `${name}: ${message}`;
  return error;
}

function isError(value) {
  return util.types.isNativeError(value) || value instanceof Error;
}

function stackLines(error) {
  return String(error.stack ?? '')
    .split('\n')
    .filter((line) => !line.includes(__dirname));
}

// Text that may quote stacks, without the frames of the runtime; a brace may follow the last one.
function withoutOurFrames(text) {
  if (!text.includes(__dirname)) return text;
  return text.replace(/\n +at ([^\n]*?)( \{)?(?=\n|$)/g, (line, place, brace = '') =>
    place.includes(__dirname) ? brace : line,
  );
}

function documentOf(error) {
  const shown = (text) => String(text).replaceAll('\x7F', '%7F');
  try {
    if (!isError(error)) {
      return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    }
    return {
      errorType: shown(error.name),
      errorMessage: shown(error.message),
      trace: stackLines(error).map(shown),
    };
  } catch {
    const errorMessage =
      'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack';
    return { errorType: 'handled', errorMessage, trace: [] };
  }
}

function withProperties(_key, value) {
  if (!isError(value)) return value;
  const { name: errorType, message: errorMessage, code } = value;
  return { errorType, errorMessage, code, ...value, stack: stackLines(value) };
}

function renamed(name, error) {
  const result = runtimeError(name, String(error));
  result.stack = `${name}: ${stackLines(error).join('\n')}`;
  return result;
}

module.exports = { documentOf, isError, renamed, runtimeError, stackLines, withoutOurFrames, withProperties };
