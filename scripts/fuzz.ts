/**
 * Damages what codecs and ciphers wrote, in seeded ways, and looks what becomes of it: `npm run fuzz -- [--cases N]`, where N is the number of
 * cases for each codec and for libsodium, ten times as many as for OpenPGP.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { cases: { type: 'string', default: '100000' } } })
if (!/^[1-9]\d*$/.test(values.cases)) throw new Error('--cases wants a whole number')
const tests = [
  'codecs/test/fuzz.test.ts',
  'codecs/test/fuzz-engines.test.ts',
  'crypto/test/mutations.test.ts',
  'crypto/test/openpgp-damage.test.ts',
]
const script = join(fileURLToPath(new URL('.', import.meta.url)), 'run-tests.ts')
const { status } = spawnSync(process.execPath, ['--conditions=source', script, ...tests.map((path) => `packages/${path}`)], {
  stdio: 'inherit',
  env: { ...process.env, WALTZ_FUZZ_CASES: values.cases },
})
process.exitCode = status ?? 1
