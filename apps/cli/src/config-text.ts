import type { ConfigValue } from '@waltz/settings'
import { ConfigTextError } from './config-text-error.ts'
import { parseDotenv } from './dotenv.ts'

type Tree = Readonly<Record<string, ConfigValue>>
/** Reads one format; `env` serves `${NAME}` in dotenv files. */
type Reader = (text: string, env: Readonly<Record<string, string | undefined>>) => Promise<unknown>

const READERS: Readonly<Record<string, Reader>> = {
  json: async (text) => readJson(text),
  toml: readToml,
  yaml: readYaml,
  yml: readYaml,
  env: async (text, env) => parseDotenv(text, env),
  dotenv: async (text, env) => parseDotenv(text, env),
}

/** The extensions of config files, in the order in which they are looked for (SET 1.2). */
export const configExtensions: readonly string[] = ['json', 'toml', 'yaml', 'yml', 'dotenv', 'env']

/**
 * Reads the text of a config file: numbers and booleans become the text that stood there, so that no digit is lost;
 * nulls disappear; tables stay tables.
 * @throws ConfigTextError with what is wrong and where, never with what stands there.
 */
export async function parseConfigText(text: string, extension: string, env: Readonly<Record<string, string | undefined>>): Promise<Tree> {
  const reader = Object.hasOwn(READERS, extension) ? READERS[extension] : undefined
  if (reader === undefined) throw new ConfigTextError(`.${extension} is not a format for settings`)
  const tree = toConfigValue(await reader(text.replace(/^\uFEFF/, ''), env))
  if (tree === undefined) return {}
  if (typeof tree === 'string' || Array.isArray(tree)) throw new ConfigTextError('it must be a table of names and values')
  return tree as Tree
}

function toConfigValue(value: unknown): ConfigValue | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return `${value}`
  if (Array.isArray(value)) return value.map(toConfigValue).filter((item) => item !== undefined)
  if (value instanceof Date) return value.toISOString()
  if (typeof value !== 'object' || value === null) return undefined
  const entries = Object.entries(value).map(([key, item]) => [key, toConfigValue(item)] as const)
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, ConfigValue] => entry[1] !== undefined))
}

/** Numbers are kept as they are written: the third argument of a reviver has their source. */
type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

function readJson(text: string): unknown {
  const keepNumbers: SourceReviver = (_key, value, context) => (typeof value === 'number' ? (context.source ?? value) : value)
  try {
    return JSON.parse(text, keepNumbers as (key: string, value: unknown) => unknown)
  } catch (error) {
    const place = / \(line (\d+) column (\d+)\)/.exec((error as Error).message)
    throw new ConfigTextError(place === null ? 'it is not JSON' : `it is not JSON from line ${place[1]}, column ${place[2]}`)
  }
}

async function readYaml(text: string): Promise<unknown> {
  const { FAILSAFE_SCHEMA, loadAll, mergeTag, nullCoreTag } = await import('js-yaml')
  try {
    // With this schema every scalar but null stays the text that stands there.
    const documents = loadAll(text, { schema: FAILSAFE_SCHEMA.withTags(nullCoreTag, mergeTag) })
    return documents[0]
  } catch (error) {
    const { reason, mark } = error as { readonly reason?: string; readonly mark?: { readonly line: number; readonly column: number } }
    const where = mark === undefined ? '' : ` at line ${mark.line + 1}, column ${mark.column + 1}`
    throw new ConfigTextError(`it is not YAML${where}${reason === undefined ? '' : ` (${withoutQuotes(reason)})`}`)
  }
}

async function readToml(text: string): Promise<unknown> {
  const { parse } = await import('smol-toml')
  try {
    return parse(text, { integersAsBigInt: true })
  } catch (error) {
    const { line, column } = error as { readonly line?: number; readonly column?: number }
    throw new ConfigTextError(`it is not TOML${line === undefined ? '' : ` at line ${line}, column ${column}`}`)
  }
}

/** Reasons of the YAML parser may quote an anchor or a tag, which is the user's text. */
function withoutQuotes(reason: string): string {
  return reason.replaceAll(/"[^"]*"|'[^']*'|!?<[^>]*>/g, '...')
}
