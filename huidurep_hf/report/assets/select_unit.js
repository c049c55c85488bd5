// The selected unit's data take the place of those of the unit before.
const chosen = cb_obj.indices
if (chosen.length > 0) {
  const entries = (map) => (map instanceof Map ? [...map] : Object.entries(map))
  const unit = chosen[0]
  const of_all = new Map(entries(data)), texts = new Map(entries(titles))
  for (const [name, source] of entries(sources)) {
    source.data = Object.fromEntries([...entries(source.data), ...entries(of_all.get(name)[unit])])
  }
  for (const [name, shown] of entries(titled)) shown.text = texts.get(name)[unit]
  const [units, xs, ys] = ["unit", "x", "y"].map((name) => Array.from(points.get_column(name)))
  const is_of_unit = (_, i) => units[i] == unit
  of_unit.data = {x: xs.filter(is_of_unit), y: ys.filter(is_of_unit)}
}
