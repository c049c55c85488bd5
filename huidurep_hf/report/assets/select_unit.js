// The selected unit's data take the place of those of the unit before.
const chosen = cb_obj.indices
if (chosen.length > 0) {
  const get = (map, name) => (map instanceof Map ? map.get(name) : map[name])
  const names = (map) => (map instanceof Map ? [...map.keys()] : Object.keys(map))
  const unit = chosen[0]
  for (const name of names(sources)) get(sources, name).data = get(data, name)[unit]
  for (const name of names(titled)) get(titled, name).text = get(titles, name)[unit]
  const all = points.data, x = [], y = []
  for (let i = 0; i < get(all, "unit").length; i++) {
    if (get(all, "unit")[i] == unit) { x.push(get(all, "x")[i]); y.push(get(all, "y")[i]) }
  }
  of_unit.data = {x, y}
}
