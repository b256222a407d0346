SET lock_timeout = '5s';

DROP TABLE menu_items;
DROP TABLE menus;
DROP FUNCTION menus_touch_by_items();
DROP FUNCTION menu_items_check_no_cycle();
DROP FUNCTION menu_items_lock();
