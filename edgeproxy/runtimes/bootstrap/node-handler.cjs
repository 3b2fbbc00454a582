// Finds the function that a handler string names (LR-040 to LR-052).
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { renamed, runtimeError } = require('./node-errors.cjs');
const { STREAMING } = require('./node-streaming.cjs');

function isModuleScope(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    if (at === '/' || at.endsWith('/node_modules')) return false;
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
      } catch (error) {
        console.warn(`${file} cannot be read`, error);
        return false;
      }
    }
  }
}

async function loadEsModule(file) {
  try {
    return await import(pathToFileURL(file));
  } catch (error) {
    require('./node-places.cjs').tellPlace(error, file);
    throw error;
  }
}

// Errors shall name the lines that people wrote. Where there is no map, Node.js need not look for
// any: that would cost each start a millisecond.
function honourSourceMap(file) {
  if (fs.readFileSync(file).lastIndexOf('//# sourceMappingURL=') >= 0) {
    process.setSourceMapsEnabled(true);
  }
}

async function loadModule(root, folder, name, modern) {
  const base = path.resolve(root, folder, name);
  const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
  // A folder of that name counts: its index.js is loaded, which newer runtimes refuse to do.
  if (fs.existsSync(base)) return modern && !isFile(base) ? loadEsModule(base) : require(base);
  const file = [`${base}.js`, `${base}.mjs`, `${base}.cjs`].find(isFile);
  if (file) honourSourceMap(file);
  if (isFile(`${base}.js`)) {
    if (isModuleScope(path.dirname(base))) return loadEsModule(`${base}.js`);
    return require(`${base}.js`);
  }
  if (isFile(`${base}.mjs`)) return loadEsModule(`${base}.mjs`);
  if (isFile(`${base}.cjs`)) return require(`${base}.cjs`);
  return require(require.resolve(name, { paths: [root, path.dirname(base)] }));
}

async function load(root, text, modern) {
  if (text.includes('..')) {
    throw runtimeError(
      'Runtime.MalformedHandlerName',
      `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const start = text.lastIndexOf('/') + 1;
  const dot = text.indexOf('.', start);
  if (dot < 0) throw runtimeError('Runtime.MalformedHandlerName', 'Bad handler');
  let found;
  try {
    found = await loadModule(root, text.slice(0, start), text.slice(start, dot), modern);
  } catch (error) {
    if (error instanceof SyntaxError) throw renamed('Runtime.UserCodeSyntaxError', error);
    if (error?.code === 'MODULE_NOT_FOUND') throw renamed('Runtime.ImportModuleError', error);
    throw error;
  }
  const property = (object) =>
    text.slice(dot + 1).split('.').reduce((nested, key) => nested?.[key], object);
  found = property(found) || (modern && property(found?.default));
  if (!found) {
    throw runtimeError('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  }
  if (typeof found !== 'function') {
    throw runtimeError('Runtime.HandlerNotFound', `${text} is not a function`);
  }
  if (found[STREAMING] !== undefined && found[STREAMING] !== 'response') {
    throw runtimeError('Runtime.MalformedStreamingHandler', 'Only response streaming is supported.');
  }
  if (modern && found[STREAMING] === undefined && found.length >= 3) {
    throw runtimeError(
      'Runtime.CallbackHandlerDeprecated',
      'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
    );
  }
  return found;
}

module.exports = { load };
