import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkout } from './pack-packages.ts'

/** What one package's README shows. */
export interface ReadmeExample {
  /** The package's folder name. */
  readonly name: string
  /** Absolute path of the package. */
  readonly folder: string
  /** The blocks marked `ts`, in order. */
  readonly blocks: readonly string[]
  /** Whether one of them reads PGDATA, and so wants a running server. */
  readonly needsServer: boolean
  /** Why there is nothing to run. */
  readonly problem: string | undefined
}

/** The examples of all packages, those without one too. */
export function readmeExamples(): readonly ReadmeExample[] {
  const names = readdirSync(join(checkout, 'packages')).filter((name) => existsSync(join(checkout, 'packages', name, 'package.json')))
  return names.map((name) => {
    const folder = join(checkout, 'packages', name)
    const path = join(folder, 'README.md')
    const text = existsSync(path) ? readFileSync(path, 'utf8') : undefined
    const blocks = codeBlocks(text ?? '')
    const problem = text === undefined ? 'has no README.md' : blocks.length === 0 ? 'has no block marked ts in its README.md' : undefined
    return { name, folder, blocks, needsServer: blocks.some((block) => block.includes('PGDATA')), problem }
  })
}

/** The contents of the fenced blocks of a Markdown text that are marked `ts`. */
export function codeBlocks(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '')
}

/** Every entry of every package with the source file behind it: `@waltz/codecs/lz4` to `.../codecs/src/lz4.ts`. */
export function packageEntries(): Readonly<Record<string, readonly [string]>> {
  const entries = readmeExamples().flatMap(({ folder }) => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      readonly name: string
      readonly exports: Readonly<Record<string, { readonly source: string }>>
    }
    return Object.entries(manifest.exports).map(([path, { source }]) => [manifest.name + path.slice(1), [join(folder, source)]] as const)
  })
  return Object.fromEntries(entries)
}
