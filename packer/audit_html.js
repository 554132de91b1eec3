(function () {
	'use strict';
	var table = document.getElementById('findings');
	if (!table)
		return;
	var form = document.getElementById('filter'), shown = document.getElementById('shown');
	var body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
	var RULE = 1, PACKAGE = 2;
	var collator = new Intl.Collator('en', {numeric: true});

	function text(row, column) {
		return row.cells[column].textContent;
	}

	/* In the order of the audit: the worst first. */
	var rows = Array.from(body.rows).map(function (row, place) {
		return {row: row, place: place, words: row.textContent.toLowerCase(),
			level: row.className, rule: text(row, RULE), package: text(row, PACKAGE)};
	});

	/* --- sorting --- */

	function key(row, column) {
		return row.cells[column].dataset.key || text(row, column);
	}

	function sort(column) {
		var head = heads[column];
		var down = head.getAttribute('aria-sort') === 'ascending';
		var keys = rows.map(function (r) { return key(r.row, column); });
		var order = rows.slice().sort(function (x, y) {
			var c = collator.compare(keys[x.place], keys[y.place]);
			return (down ? -c : c) || x.place - y.place;
		});
		var all = document.createDocumentFragment();
		order.forEach(function (r) { all.appendChild(r.row); });
		body.appendChild(all);
		heads.forEach(function (h) { h.setAttribute('aria-sort', 'none'); });
		head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
	}

	heads.forEach(function (head, column) {
		var button = document.createElement('button');
		button.type = 'button';
		button.textContent = head.textContent;
		button.addEventListener('click', function () { sort(column); });
		head.textContent = '';
		head.appendChild(button);
		head.setAttribute('aria-sort', 'none');
	});

	/* --- filtering --- */

	function offer(select, what) {
		var names = Array.from(new Set(rows.map(function (r) { return r[what]; })));
		names.sort(collator.compare).forEach(function (name) {
			select.add(new Option(name, '=' + name));
		});
	}

	function filter() {
		var wanted = form.elements.words.value.toLowerCase().split(/\s+/);
		var rule = form.elements.rule.value, of = form.elements.package.value, n = 0;
		var levels = {};
		Array.from(form.elements.level).forEach(function (box) { levels[box.value] = box.checked; });
		rows.forEach(function (r) {
			var keep = levels[r.level] && (!rule || rule === '=' + r.rule) &&
				(!of || of === '=' + r.package) &&
				wanted.every(function (w) { return r.words.includes(w); });
			r.row.hidden = !keep;
			n += keep ? 1 : 0;
		});
		shown.textContent = n === rows.length ? n + ' shown' : n + ' of ' + rows.length + ' shown';
	}

	offer(form.elements.rule, 'rule');
	offer(form.elements.package, 'package');
	form.addEventListener('input', filter);
	form.addEventListener('submit', function (event) { event.preventDefault(); });
	form.hidden = false;
	filter();
})();
