import { readFileSync, writeFileSync } from 'node:fs'

/** The lines around the figures of a run of everything, or of one suite that has a section of its own. */
function markersOf(section: string | undefined): readonly [string, string] {
  const words = section === undefined ? '' : `${section} `
  const suffix = section === undefined ? '' : ` of ${section}`
  return [`<!-- begin of the figures${suffix}: written by npm run bench -- ${words}--write -->`, `<!-- end of the figures${suffix} -->`]
}

/** Puts `figures` between the markers of a section. @throws Error when the page has no such markers. */
export function betweenMarkers(page: string, figures: string, section?: string): string {
  const [first, last] = markersOf(section)
  const [begin, end] = [page.indexOf(first), page.indexOf(last)]
  if (begin === -1 || end < begin) throw new Error(`the page has no lines ${first} and ${last}`)
  return `${page.slice(0, begin + first.length)}\n\n${figures.trim()}\n\n${page.slice(end)}`
}

/** The same for a file. */
export function writeBetweenMarkers(path: string, figures: string, section?: string): void {
  writeFileSync(path, betweenMarkers(readFileSync(path, 'utf8'), figures, section))
}
