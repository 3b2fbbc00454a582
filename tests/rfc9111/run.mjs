// Runs every case of the suite and prints the results as JSON: true, or [kind of failure, text].
// node run.mjs <folder of the engine> <folder of the cases> <URL> <cases at a time>
import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [engine, cases, url, atATime] = process.argv.slice(2)
const load = path => import(pathToFileURL(path))
const { runTests, getResults } = await load(join(engine, 'client', 'runner.mjs'))
const suites = (await load(join(cases, 'index.mjs'))).default
const surrogate = join(cases, 'surrogate-control.mjs')
if (existsSync(surrogate)) suites.push((await load(surrogate)).default)
console.log = console.error
// The published package takes one parameter more, the function to fetch with.
const first = runTests.length > 3 ? [createRequire(join(engine, 'client', 'x.mjs'))('node-fetch')] : []
await runTests(suites, ...first, false, url, Number(atATime))
process.stdout.write(JSON.stringify(getResults()))
