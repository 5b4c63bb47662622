import type { Member, SourceModule } from './read-workspace.ts'

/** The one file that may touch the process it runs in. */
const ALLOWED = new Set(['apps/cli/src/bin.ts'])

const AMBIENT: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w$.])process\s*(?:\.|\?\.|\[)/g, 'process'],
  [/(?<![\w$.])console\s*(?:\.|\?\.|\[)/g, 'console'],
  [/(?<![\w$])Date\s*\.\s*now\b/g, 'Date.now'],
  [/(?<![\w$])new\s+Date\s*(?:\(\s*\)|(?!\s*[(\w$.]))/g, 'new Date() of the present moment'],
  [/(?<![\w$.])performance\s*\./g, 'performance'],
  [/(?<![\w$])Math\s*\.\s*random\b/g, 'Math.random'],
  [/(?<![\w$])(?:getRandomValues|randomUUID|randomBytes|randomInt|randomFill|randomFillSync)\b/g, 'random values'],
  [/(?<![\w$])(?:homedir|tmpdir|hostname|userInfo)\s*\(\s*\)/g, 'the machine (node:os)'],
  [/(?<![\w$.])globalThis\s*(?:\.|\[)/g, 'globalThis'],
]

/** The library files that may draw random numbers, and which (docs/decisions/0005). */
const RANDOM: ReadonlyMap<string, string> = new Map([
  ['packages/backup-kit/src/random.ts', 'Math.random'],
  ['packages/crypto/src/random.ts', 'random values'],
])

const MODULES = new Set(['node:process', 'node:console', 'node:perf_hooks'])

/** Where libraries take from their surroundings what must be handed to them: environment, clock, console, random. */
export function ambientProblems(members: readonly Member[]): readonly string[] {
  return members
    .filter(({ group }) => group !== 'tools')
    .flatMap(({ modules }) => modules.filter(({ path }) => !ALLOWED.has(path)).flatMap(moduleProblems))
}

function moduleProblems({ path, scanned }: SourceModule): readonly string[] {
  const lineOf = (offset: number): number => scanned.code.slice(0, offset).split('\n').length
  const problems = AMBIENT.filter(([, what]) => RANDOM.get(path) !== what).flatMap(([pattern, what]) =>
    [...scanned.code.matchAll(pattern)].map(({ index }) => `${path}:${lineOf(index)}: uses ${what}; take it as a parameter`),
  )
  const imports = scanned.texts.filter(({ value }) => MODULES.has(value))
  return [...problems, ...imports.map(({ offset, value }) => `${path}:${lineOf(offset)}: imports ${value}`)]
}
