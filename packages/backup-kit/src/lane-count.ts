/** More lanes than this gain nothing: compression has a thread pool of its own. */
const MOST_LANES = 4

/** How many parts are worked on at once: as the settings say, else as many as there are cores, up to four. */
export function laneCount(configured: number | undefined, cores: number): number {
  return configured ?? Math.max(1, Math.min(cores, MOST_LANES))
}
