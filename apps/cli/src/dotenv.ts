import { ConfigTextError } from './config-text-error.ts'

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*(.*)$/

/**
 * Reads `NAME=value` lines: comments, `export`, single quotes (taken as they are), double quotes (with backslash
 * escapes), `$NAME` and `${NAME}` outside of single quotes from the environment, then from earlier lines (SET 1.2).
 * @throws ConfigTextError with the number of the line.
 */
export function parseDotenv(text: string, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {}
  const expand = (part: string): string =>
    part.replaceAll(
      /(\\)?\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
      (whole, escaped: string | undefined, braced?: string, bare?: string) => {
        if (escaped !== undefined) return whole.slice(1)
        const name = braced ?? bare ?? ''
        return env[name] ?? (Object.hasOwn(values, name) ? values[name] : undefined) ?? ''
      },
    )
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const match = LINE.exec(line)
    const value = match === null ? undefined : readDotenvValue(match[2] ?? '', expand)
    if (match === null || value === undefined) throw new ConfigTextError(`line ${index + 1} is not NAME=value`)
    values[match[1] ?? ''] = value
  }
  return values
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

function readDotenvValue(text: string, expand: (part: string) => string): string | undefined {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(text)
  if (single !== null) return single[1]
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text)
  if (double !== null) return expand(double[1] ?? '').replaceAll(/\\(.)/g, (_whole, escaped: string) => ESCAPES[escaped] ?? escaped)
  if (/^["']/.test(text)) return undefined
  return expand(text.replace(/(^|\s)#.*$/, '').trim())
}
