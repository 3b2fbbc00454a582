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

function documentOf(error) {
  const shown = (text) => String(text).replaceAll('\x7F', '%7F');
  try {
    if (!isError(error)) {
      return { errorType: typeof error, errorMessage: String(error), trace: [] };
    }
    return {
      errorType: shown(error.name),
      errorMessage: shown(error.message),
      trace: stackLines(error).map(shown),
    };
  } catch {
    return { errorType: 'handled', errorMessage: 'the error could not be read', trace: [] };
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

module.exports = { documentOf, isError, renamed, runtimeError, stackLines, withProperties };
