// Tables that sort, and a button that copies a command.  Without scripts all is there all the same.
'use strict';
for (const table of document.querySelectorAll('table.sorts')) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const value = (row, i) => {
        const cell = row.cells[i];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const compare = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b
        : typeof a === typeof b ? a.localeCompare(b, 'en', { numeric: true })
        : typeof a === 'number' ? -1 : 1;
    heads.forEach((head, i) => {
        const button = document.createElement('button');
        button.textContent = head.textContent;
        head.replaceChildren(button);
        button.addEventListener('click', () => {
            const down = head.getAttribute('aria-sort') === 'ascending';
            for (const other of heads) other.removeAttribute('aria-sort');
            head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
            const rows = [...body.rows].sort((a, b) => compare(value(a, i), value(b, i)));
            body.append(...(down ? rows.reverse() : rows));
        });
    });
}
for (const command of document.querySelectorAll('.command')) {
    if (!navigator.clipboard) break;
    const button = document.createElement('button');
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
        await navigator.clipboard.writeText(command.querySelector('code').textContent);
        button.textContent = 'Copied';
    });
    command.append(button);
}
