/** A text literal of a source file. */
export interface SourceText {
  /** Where it begins in the file, quote included. */
  readonly offset: number
  readonly value: string
}

/** A TypeScript file with everything that is no code taken out. */
export interface ScannedSource {
  /** As long as the file; comments, texts and regular expressions are blanks, but quotes stay in place. */
  readonly code: string
  readonly texts: readonly SourceText[]
}

/** Blanks comments and literals, so that a search in what is left finds code and nothing else. */
export function scanSource(source: string): ScannedSource {
  const code = source.replace(/[^\n]/g, ' ').split('')
  const texts: SourceText[] = []
  /** Depth of braces at which each open template literal goes on. */
  const templates: number[] = []
  let depth = 0
  let at = 0
  const keep = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) code[index] = source[index] ?? ' '
  }
  const literal = (pattern: RegExp, isText: boolean): void => {
    pattern.lastIndex = at
    const found = pattern.exec(source)?.[0] ?? source[at] ?? ''
    if (isText) texts.push({ offset: at, value: found.slice(1, -1) })
    code[at] = found[0] ?? ' '
    code[at + found.length - 1] = found.at(-1) ?? ' '
    at += found.length
  }
  while (at < source.length) {
    const two = source.slice(at, at + 2)
    const one = source[at] ?? ''
    if (two === '//') at = endOf(source, '\n', at)
    else if (two === '/*') at = endOf(source, '*/', at + 2) + 2
    else if (one === "'") literal(/'(?:[^'\\\n]|\\[^])*'/y, true)
    else if (one === '"') literal(/"(?:[^"\\\n]|\\[^])*"/y, true)
    else if (one === '/' && regexMayBegin(code.slice(Math.max(0, at - 200), at).join('')))
      literal(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y, false)
    else if (one === '`' || (one === '}' && templates.at(-1) === depth)) {
      if (one === '}') templates.pop()
      const end = endOfTemplatePart(source, at + 1)
      if (one === '`' && source[end] === '`') texts.push({ offset: at, value: source.slice(at + 1, end) })
      keep(at, at + 1)
      keep(end, end + 1)
      if (source[end] === '$') templates.push(depth)
      at = end + (source[end] === '$' ? 2 : 1)
    } else {
      if (one === '{') depth += 1
      if (one === '}') depth -= 1
      keep(at, at + 1)
      at += 1
    }
  }
  return { code: code.join(''), texts }
}

function endOf(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from)
  return found === -1 ? source.length : found
}

/** Index of the closing backquote or of the dollar sign of the next `${`. */
function endOfTemplatePart(source: string, from: number): number {
  let at = from
  while (at < source.length && source[at] !== '`' && source.slice(at, at + 2) !== '${') at += source[at] === '\\' ? 2 : 1
  return at
}

/** A slash divides after a value and begins a regular expression after anything else. */
function regexMayBegin(before: string): boolean {
  const tail = before.trimEnd()
  if (tail === '' || /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|yield|await|throw)$/.test(tail)) return true
  return !/[\w$)\]}'"`]$/.test(tail)
}

/** The module names that a file imports or exports from, types and dynamic imports included. */
export function importedModules(scanned: ScannedSource): readonly string[] {
  const texts = new Map(scanned.texts.map(({ offset, value }) => [offset, value]))
  const found: string[] = []
  for (const match of scanned.code.matchAll(/(?<![\w$.])(?:from\s*|import\s*\(?\s*|require\s*\(\s*)(?=['"`])/g)) {
    const name = texts.get(match.index + match[0].length)
    if (name !== undefined) found.push(name)
  }
  return found
}
