import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

/** The same with a GiB where there is time. */
const DEEP = (process.env['WALTZ_SOAK'] ?? '') !== ''
const MIB = DEEP ? 1024 : 192

/** Runs zeros through a codec and back in a process of its own, and prints by how many MiB its peak grew. */
const script = (make: string): string => `
  import { giveBack } from '@waltz/bytes'
  const codec = await (async () => { ${make} })()
  const block = Buffer.alloc(262_144)
  async function* input(mib) { for (let turn = 0; turn < 4 * mib; turn += 1) yield block }
  const run = async (mib) => {
    let total = 0
    for await (const chunk of codec.decompress(codec.compress(input(mib)))) { total += chunk.length; giveBack(chunk) }
    return total
  }
  await run(1)
  const before = process.resourceUsage().maxRSS
  const total = await run(${MIB})
  console.log(JSON.stringify([total, Math.ceil((process.resourceUsage().maxRSS - before) / 1024)]))
`
/** gzip and lzo are only read: their programs write. */
const packedBy = (module: string, name: string, command: string): string => `
  const { ${name} } = await import('@waltz/codecs/${module}')
  const { spawn } = await import('node:child_process')
  const { Readable } = await import('node:stream')
  return { ...${name}(), compress(source) {
    const child = spawn('${command}', ['-1', '-c'], { stdio: ['pipe', 'pipe', 'ignore'] })
    Readable.from(source).pipe(child.stdin)
    return child.stdout
  } }`
const simple = (module: string, expression: string): string => `
  const module = await import('@waltz/codecs/${module}')
  return ${expression}`

/** What the README says of each, plus what the measure is off by. */
const CASES: readonly (readonly [string, number, string])[] = [
  ['lz4', 64, simple('lz4', 'module.lz4()')],
  ['lz4 with linked blocks of 4 MiB', 192, simple('lz4', 'module.lz4({ blockBytes: 4_194_304, linkedBlocks: true })')],
  ['zstd', 64, simple('zstd', 'module.zstd()')],
  ['zstd with a window of 128 MiB', 400, simple('zstd', 'module.zstd({ longWindowLog: 27 })')],
  ['brotli', 64, simple('brotli', 'module.brotli()')],
  ['brotli in WebAssembly', 96, simple('brotli', `await module.openBrotli({ engine: 'brotli-wasm' })`)],
  ['lzma', 128, simple('lzma', 'await module.openLzma()')],
  ['lzma of lzma-native', 128, simple('lzma', `await module.openLzma({ engine: 'lzma-native' })`)],
  ['gzip', 64, packedBy('gzip', 'gzip', 'gzip')],
  ['lzo', 64, packedBy('lzo', 'lzo', 'lzop')],
]
const present = (name: string): boolean => {
  const found = !['gzip', 'lzo'].includes(name) || spawnSync(name === 'lzo' ? 'lzop' : name, ['--version']).error === undefined
  if (!found) console.warn(`SKIPPED: the program that writes ${name} is not installed`)
  return found
}

describe('memory', () => {
  it.each(CASES.filter(([name]) => present(name)))(
    `of %s grows by less than %d MiB for ${MIB} MiB of zeros`,
    { timeout: DEEP ? 600_000 : 60_000 },
    async (_, mostMib, make) => {
      const args = ['--conditions=source', '--input-type=module', '-e', script(make)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) })
      const [total, grownMib] = JSON.parse(stdout) as [number, number]
      expect(total).toBe(MIB * 1_048_576)
      console.info(`${_}: ${grownMib} MiB`)
      expect(grownMib).toBeLessThan(mostMib)
    },
  )
})
